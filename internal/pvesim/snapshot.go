package pvesim

func snapshotHandlers() map[string]handler { return nil }

func snapshotEffects() map[string]effect { return nil }
