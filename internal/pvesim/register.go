package pvesim

import "maps"

// handlers returns all operations by "VERB /path".
func handlers() map[string]handler {
	all := map[string]handler{}
	for _, group := range []map[string]handler{
		loginHandlers(), clusterHandlers(), nodeHandlers(), taskHandlers(), lxcHandlers(),
		storageHandlers(), vzdumpHandlers(), jobHandlers(), poolHandlers(), snapshotHandlers(), cloneHandlers(),
		migrateHandlers(), accessHandlers(), haHandlers(), haGroupHandlers(), replicationHandlers(),
	} {
		maps.Copy(all, group)
	}
	return all
}

// effects returns all effects of steps by name.
func effects() map[string]effect {
	all := map[string]effect{}
	for _, group := range []map[string]effect{
		lxcEffects(), storageEffects(), vzdumpEffects(), restoreEffects(), snapshotEffects(), cloneEffects(), migrateEffects(),
	} {
		maps.Copy(all, group)
	}
	return all
}
