"""OpenAI's Responses, to and from the hub."""
