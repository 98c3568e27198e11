"""The API's reference as a page, made from its OpenAPI schema."""
