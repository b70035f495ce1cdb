"""The Responses format of OpenAI, as a spoke: requests to Messages, answers back."""
