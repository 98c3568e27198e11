"""The service: recommendations over HTTP, a gateway in OpenAI's form, and a page to look at. Extra `serve`."""
