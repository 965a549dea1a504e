package main

import "jobwatch/internal/cli"

func main() { cli.Main() }
