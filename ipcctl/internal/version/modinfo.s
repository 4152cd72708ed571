// modinfo has no body in Go: a file of this kind allows that.
