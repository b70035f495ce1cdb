"""Saying something in the hub's words (Messages): what every spoke needs."""
