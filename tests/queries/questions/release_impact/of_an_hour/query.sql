from release_impact('release 512', minutes := 10)
