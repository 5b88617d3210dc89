"""The language model in its roles: client, structured replies, reply cache, money. See `client.LanguageClient`."""
