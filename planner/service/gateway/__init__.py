"""The gateway: requests in OpenAI's form, planned, carried out and logged, or passed through untouched."""
