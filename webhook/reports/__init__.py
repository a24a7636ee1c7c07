"""Reports over plans and pods: what explain and audit print, as values."""
