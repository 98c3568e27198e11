"""Training of the lab's models on a CPU (extra `train`): what made the weights that the package ships."""
