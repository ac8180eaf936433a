# The settings of every addon. gyp's `includes` cannot name a path that a command finds, a dependency can.
{
  "targets": [
    {
      "target_name": "millrace_core",
      "type": "none",
      "direct_dependent_settings": {
        "include_dirs": ["<!@(node -p \"require('./lib/compile/flags.js').includeDirs.join(' ')\")"],
        "defines": ["<!@(node -p \"require('./lib/compile/flags.js').defines.join(' ')\")"],
        "cflags!": ["-O3"],
        "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"],
        "cflags_cc": ["<!@(node -p \"require('./lib/compile/flags.js').compile.join(' ')\")"],
        "ldflags": ["<!@(node -p \"require('./lib/compile/flags.js').link.join(' ')\")"]
      }
    }
  ]
}
