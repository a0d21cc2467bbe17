"""The report on the whole fleet: what it is made of, its JSON, its page, one page per user, its trend, metrics."""
