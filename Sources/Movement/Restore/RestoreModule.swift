// Trees, images and single files out of a repository.
