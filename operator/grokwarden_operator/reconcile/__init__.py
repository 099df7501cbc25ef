"""From what is listed and reported to what pods get and statuses say. Pure, but for what is compiled only once."""
