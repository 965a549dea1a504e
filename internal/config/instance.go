package config

import (
	"fmt"
	"os"
	"regexp"
)

const instancePattern = `^([A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)?$`

var apt = regexp.MustCompile(instancePattern)

// Instance is this watcher's name among several: the one that is set, or else the host's. Its error is an *Error.
func (c *Config) Instance() (string, error) {
	if c.Cluster.Instance != "" {
		return c.Cluster.Instance, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return "", c.Mistake("cluster.instance", fmt.Sprintf("the host's name is not to be had: %v; name this watcher", err))
	}
	return c.named(host)
}

// named takes a host's name for the instance, if it may be one.
func (c *Config) named(host string) (string, error) {
	if host == "" || !apt.MatchString(host) {
		return "", c.Mistake("cluster.instance", fmt.Sprintf(
			"the host's name is %q, and an instance's has letters, digits, _ and -, and single dots between them; name this watcher", host))
	}
	return host, nil
}
