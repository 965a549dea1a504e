package commvault

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"
)

// Jobs gives the whole list by number, each job as seen last.
func (c *Client) Jobs(ctx context.Context, finishedWithin time.Duration) ([]Line, error) {
	lines := map[int64]Line{}
	err := c.List(ctx, finishedWithin, func(page []Line) error {
		for _, line := range page {
			lines[line.Number] = line
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	byNumber := func(a, b Line) int { return cmp.Compare(a.Number, b.Number) }
	return slices.SortedFunc(maps.Values(lines), byNumber), nil
}
