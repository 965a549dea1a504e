package audit

import (
	"crypto/sha256"

	"golang.org/x/mod/sumdb/tlog"
)

// peaks are the roots of the whole subtrees that make up a tree, the largest first: all that it takes to go on with it.
type peaks struct {
	size  int64
	roots []tlog.Hash
}

// add gives what a leaf adds to the hashes: itself, and each subtree that it completes.
func (p *peaks) add(leaf tlog.Hash) []tlog.Hash {
	added := []tlog.Hash{leaf}
	for n := p.size; n&1 == 1 && len(p.roots) > 0; n >>= 1 { // of a tree with a hole there are fewer
		leaf = tlog.NodeHash(p.roots[len(p.roots)-1], leaf)
		p.roots = p.roots[:len(p.roots)-1]
		added = append(added, leaf)
	}
	p.roots = append(p.roots, leaf)
	p.size++
	return added
}

// root is that of the whole tree.
func (p *peaks) root() tlog.Hash {
	if len(p.roots) == 0 {
		return emptyRoot
	}
	root := p.roots[len(p.roots)-1]
	for i := len(p.roots) - 2; i >= 0; i-- {
		root = tlog.NodeHash(p.roots[i], root)
	}
	return root
}

func (p *peaks) clone() *peaks {
	return &peaks{p.size, append([]tlog.Hash(nil), p.roots...)}
}

var emptyRoot = tlog.Hash(sha256.Sum256(nil)) // RFC 6962, 2.1

func readPeaks(r tlog.HashReader, size int64) (*peaks, error) {
	tree := &peaks{size: size}
	var from int64
	for level := 62; level >= 0; level-- {
		if size&(1<<level) == 0 {
			continue
		}
		found, err := r.ReadHashes([]int64{tlog.StoredHashIndex(level, from>>level)})
		if err != nil {
			return nil, err
		}
		tree.roots = append(tree.roots, found...)
		from += 1 << level
	}
	return tree, nil
}

// hashesSize is how many bytes the hashes of a tree take.
func hashesSize(lines int64) int64 {
	if lines == 0 {
		return 0
	}
	return tlog.HashSize * tlog.StoredHashCount(lines)
}

// hashReader reads stored hashes.
func hashReader(f interface {
	ReadAt(p []byte, off int64) (int, error)
}) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		all := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			if _, err := f.ReadAt(all[i][:], index*tlog.HashSize); err != nil {
				return nil, err
			}
		}
		return all, nil
	})
}
