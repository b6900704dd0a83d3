"""Small studies that several tests look at; each is run once."""
