"""HTTP: REST under `/api/v1`, server-sent events, OpenAPI."""
