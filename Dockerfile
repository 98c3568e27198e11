# Untried where no container engine runs: kept minimal on purpose.
FROM python:3.11-slim
# LightGBM needs OpenMP's runtime.
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
COPY . /src
RUN pip install --no-cache-dir "/src[serve,postgres]" && rm -rf /src
RUN useradd --create-home planner
USER planner
WORKDIR /home/planner
# A volume that is put here takes over its owner.
RUN mkdir artifacts
EXPOSE 8321
# PLANNER_SERVICE_TOKEN must be set: without it the service would listen on loopback only, and refuses this address.
CMD ["planner", "serve", "--host", "0.0.0.0"]
