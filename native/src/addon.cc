// Entry point. The addon keeps no state between environments: each thread that loads it gets exports of its own.
#include "exports.h"

namespace {

Napi::Object Initialise(Napi::Env env, Napi::Object exports) {
  dunnage::ExportBlockDevices(env, exports);
  dunnage::ExportChannel(env, exports);
  dunnage::ExportDescriptors(env, exports);
  dunnage::ExportDeviceMapper(env, exports);
  dunnage::ExportFlush(env, exports);
  dunnage::ExportLoopDevices(env, exports);
  dunnage::ExportInotify(env, exports);
  dunnage::ExportLoopback(env, exports);
  dunnage::ExportMemory(env, exports);
  dunnage::ExportMount(env, exports);
  dunnage::ExportNodeChanges(env, exports);
  dunnage::ExportNodes(env, exports);
  dunnage::ExportProcesses(env, exports);
  dunnage::ExportReflink(env, exports);
  dunnage::ExportSockets(env, exports);
  dunnage::ExportWatch(env, exports);
  dunnage::ExportXattrs(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(dunnage, Initialise)
