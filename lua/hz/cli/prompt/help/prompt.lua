-- Help on the prompt itself.
return {
  subject = 'prompt',
  { 'prompt', 'a line of Lua, or an expression, or both: x = 2; x',
    "its value is printed ('_' keeps it); the first local of a line stays; Tab completes names, options and files; "
    .. 'name? tells what it is; Ctrl-R searches what was entered; a paste that ends a line runs; Ctrl-C stops; '
    .. 'Ctrl-D leaves', 'x = 2 + 3; x' },
  { 'args', "hz.args({ {'name', default, 'type', 'help', min=, max=, choices=, list=}, ... }, ...)",
    'knobs of a script from its key=value arguments: checked, with comma lists and ranges 1..5, --help',
    "k = hz.args({ {'epochs', 10, 'int', 'passes over the data', min=1} }, 'epochs=3'); print(k.epochs)" },
}
