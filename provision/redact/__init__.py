"""Masking secrets in text, streams, recordings and pictures before they are published."""
