{
  "variables": {
    "openssl_fips": "",
    "strict_flags": ["-Wall", "-Wextra", "-Werror", "-std=c++20", "-O2", "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden"],
    "other_standards": ["-std=gnu++14", "-std=gnu++17", "-std=gnu++20", "-std=gnu++1y", "-fno-omit-frame-pointer", "-O3"],
  },
  "targets": [
    {
      "target_name": "dunnage",
      "sources": [
        "native/src/addon.cc",
        "native/src/arguments.cc",
        "native/src/channel.cc",
        "native/src/cleanup-hook.cc",
        "native/src/descriptors.cc",
        "native/src/flush.cc",
        "native/src/memory.cc",
        "native/src/mount.cc",
        "native/src/notifier.cc",
        "native/src/sockets.cc",
        "native/src/system-error.cc",
        "native/src/watch.cc",
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=9", "NAPI_DISABLE_CPP_EXCEPTIONS", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "cflags_cc!": ["<@(other_standards)"],
      "cflags_cc": ["<@(strict_flags)"],
      # A worker that ends unloads the addon; a notifier thread that is still inside write(2) must keep its code.
      "ldflags": ["-Wl,-z,nodelete", "-Wl,-z,relro,-z,now"],
    },
    {
      "target_name": "dunnage-agent",
      "type": "executable",
      "sources": ["native/src/agent/main.cc", "native/src/agent/batch.cc", "native/src/agent/view.cc"],
      "cflags_cc!": ["<@(other_standards)"],
      "cflags_cc": ["<@(strict_flags)", "-pthread"],
      "ldflags": ["-pthread", "-static-libgcc", "-static-libstdc++", "-Wl,-z,relro,-z,now"],
    },
    {
      "target_name": "dunnage-holder",
      "type": "executable",
      "sources": [
        "native/src/holder/main.cc",
        "native/src/holder/abort.cc",
        "native/src/holder/entries.cc",
        "native/src/holder/messages.cc",
        "native/src/holder/peer.cc",
      ],
      "cflags_cc!": ["<@(other_standards)"],
      "cflags_cc": ["<@(strict_flags)"],
      "ldflags": ["-static-libgcc", "-static-libstdc++", "-Wl,-z,relro,-z,now"],
    },
  ],
}
