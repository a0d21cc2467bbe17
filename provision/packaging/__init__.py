"""Packages for the tools that IT already manages machines with: Intune, Jamf, Munki, macOS installers, dpkg, rpm.

Each package wraps the same few scripts around a sealed bundle or a feed address. None holds a secret in clear text.
`zipapp` builds provision itself as a single file.
"""
