"""Clusters and credentials as kubectl reads them: kubeconfig files, exec plugins and proxies.

The loader of the official client merges files, users and null members in its own way, and sends an
anonymous request where credentials cannot be had. This package imports no client.
"""
