package console

import "fmt"

// Bytes is a size in the unit that fits, by 1024 as Commvault counts.
func Bytes(n *int64) string {
	if n == nil {
		return ""
	}
	value, unit := float64(*n), "B"
	for _, next := range []string{"KB", "MB", "GB", "TB", "PB"} {
		if value < 1024 && value > -1024 {
			break
		}
		value, unit = value/1024, next
	}
	if unit == "B" || value >= 100 || value <= -100 {
		return fmt.Sprintf("%.0f %s", value, unit)
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}
