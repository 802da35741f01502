from worst_path_templates()
