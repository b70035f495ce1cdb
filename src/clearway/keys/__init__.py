"""Keys: their form, and the pure rules of what each may do."""
