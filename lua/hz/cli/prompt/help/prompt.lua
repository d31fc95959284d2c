-- Help on the prompt itself.
return {
  subject = 'prompt',
  { 'prompt', 'a line of Lua, or an expression',
    "its value is printed ('_' keeps it); the first local of a line stays; Tab completes; Ctrl-C stops; Ctrl-D leaves",
    'x = 2 + 3' },
  { 'args', "hz.args({ {'name', default, 'type', 'help', min=, max=, choices=, list=}, ... }, ...)",
    'knobs of a script from its key=value arguments: checked, with comma lists and ranges 1..5, --help',
    "k = hz.args({ {'epochs', 10, 'int', 'passes over the data', min=1} }, 'epochs=3'); print(k.epochs)" },
}
