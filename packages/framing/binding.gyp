{
  "targets": [
    {
      "target_name": "millrace_framing",
      "sources": ["src/binding.cc"],
      "dependencies": ["<!(node -p \"require('@millrace/native').gypTarget\")"]
    }
  ]
}
