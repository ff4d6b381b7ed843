package pvesim

func restoreEffects() map[string]effect { return nil }

func (x *tx) restoreContainer(*request) (any, error) { return nil, die("not implemented") }
