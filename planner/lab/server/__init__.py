"""The laboratory as a server in OpenAI's form; needs the extra `serve`."""
