"""Admission reviews of pods and of Plans: from the body of the request to the response."""
