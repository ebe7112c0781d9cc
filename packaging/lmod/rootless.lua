-- The module `rootless` of a cluster, for Lmod: its commands, manual pages and completions, and nothing else.
--
--   python3 -m venv /opt/rootless && /opt/rootless/bin/pip install rootless-*.whl
--   mkdir /opt/rootless/commands && ln -s ../bin/rootless ../bin/rootless-oci /opt/rootless/commands
--   cp packaging/lmod/rootless.lua DIRECTORY-OF-MODULES/rootless/VERSION.lua
--
-- /opt/rootless/bin itself stays out of PATH: it has an interpreter and a pip, which are nobody's.
local root = "/opt/rootless"

whatis("Name: rootless")
whatis("Description: containers for ordinary users, without root and without a daemon")
help([[rootless doctor says what this machine supports; man rootless, rootless run --help.]])

prepend_path("PATH", pathJoin(root, "commands")) -- man(1) finds ../share/man by it
if not os.getenv("XDG_DATA_DIRS") then
    append_path("XDG_DATA_DIRS", "/usr/local/share:/usr/share") -- what it means where it is not set
end
prepend_path("XDG_DATA_DIRS", pathJoin(root, "share")) -- completions of bash and fish
if os.getenv("FPATH") then -- else zsh has its own, which this would replace
    prepend_path("FPATH", pathJoin(root, "share/zsh/site-functions"))
end
