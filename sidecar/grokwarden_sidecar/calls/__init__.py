"""The way of a call, from the application to the provider and back."""
