"""Packages for the tools with which IT already reaches machines: Intune, Jamf, Munki, dpkg, rpm. Each wraps the same few scripts
around a sealed bundle, or around the address of a feed; none holds a secret in clear."""
