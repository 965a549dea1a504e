package config

import "strings"

// unknown is the error of a key that is none: it names the key that was meant, or those there are.
func unknown(name string, known fields) string {
	best, least := "", len(name)/3+2 // more mistakes than that make it another word
	names := make([]string, len(known))
	for i, f := range known {
		names[i] = f.name
		if d := distance(name, f.name); d < least {
			best, least = f.name, d
		}
	}
	if best != "" {
		return `unknown key; did you mean "` + best + `"?`
	}
	return "unknown key; known here: " + strings.Join(names, ", ")
}

// distance counts the letters to add, drop, exchange or swap with their neighbour, in any case.
func distance(a, b string) int {
	from, to := []rune(strings.ToLower(a)), []rune(strings.ToLower(b))
	var before, above []int
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(from); i++ {
		before, above, row = above, row, make([]int, len(to)+1)
		row[0] = i
		for j := 1; j <= len(to); j++ {
			same := from[i-1] == to[j-1]
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost(same))
			if i > 1 && j > 1 && from[i-1] == to[j-2] && from[i-2] == to[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(to)]
}

func cost(same bool) int {
	if same {
		return 0
	}
	return 1
}
