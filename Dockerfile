# Untried where no container engine runs: kept minimal on purpose.
FROM python:3.11 AS build
COPY . /src
# Compiled here: the image that serves has no compiler.
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /dist /src
FROM python:3.11-slim
# LightGBM needs OpenMP's runtime.
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
COPY --from=build /dist /dist
RUN pip install --no-cache-dir "$(ls /dist/planner-*.whl)[serve,postgres]" && rm -rf /dist
RUN useradd --create-home planner
USER planner
WORKDIR /home/planner
# A volume that is put here takes over its owner.
RUN mkdir artifacts
EXPOSE 8321
# PLANNER_SERVICE_TOKEN must be set: without it the service would listen on loopback only, and refuses this address.
CMD ["planner", "serve", "--host", "0.0.0.0"]
