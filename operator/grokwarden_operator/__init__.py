"""The operator plane: from custom resources to the bundles of each pod."""
