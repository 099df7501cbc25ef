"""What is heard from the API server, and whether anything still is: kopf, own lists, and what they add up to."""
