package config

import "github.com/goccy/go-yaml/ast"

// anchorFinder is an ast.Visitor.
type anchorFinder struct {
	found map[string]ast.Node
	again *ast.AnchorNode
}

func (f *anchorFinder) Visit(n ast.Node) ast.Visitor {
	anchor, ok := n.(*ast.AnchorNode)
	if !ok {
		return f
	}
	name := anchor.Name.GetToken().Value
	if _, ok := f.found[name]; ok {
		f.again = anchor
	}
	f.found[name] = anchor.Value
	return f
}

func (r *reader) findAnchors(root ast.Node) (map[string]ast.Node, error) {
	f := &anchorFinder{found: map[string]ast.Node{}}
	ast.Walk(f, root)
	if f.again != nil {
		at := f.again.Name.GetToken()
		return nil, r.at(at.Position.Line, "&%s: this anchor stands twice; give one another name", at.Value)
	}
	return f.found, nil
}

// resolve is what stands at n, behind anchors and aliases: a NullNode where that is nothing, and nil,
// once said why, where an alias leads nowhere.
func (r *reader) resolve(n node) ast.Node {
	at := n.ast
	for range maxDepth {
		switch v := at.(type) {
		case *ast.AnchorNode:
			at = v.Value
		case *ast.AliasNode:
			name := v.Value.GetToken().Value
			if at = r.anchors[name]; at == nil {
				r.fail(n, "*%s: no value is marked &%s", name, name)
				return nil
			}
		case nil:
			return &ast.NullNode{}
		default:
			return at
		}
	}
	r.fail(n, "an alias that leads to itself")
	return nil
}
