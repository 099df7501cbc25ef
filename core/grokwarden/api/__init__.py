"""The resources that users write: their models, and what is generated from them."""
