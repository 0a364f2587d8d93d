// A library whose initialisation calls back: the dynamic loader's lock is held meanwhile.

#include <cstdint>
#include <cstdlib>

namespace {

struct CallsBack {
  // The address comes by the environment: a library being initialised has no other arguments.
  CallsBack() {
    const auto address = std::strtoull(std::getenv("TARGET_PLUGIN_CALLS"), nullptr, 16);
    reinterpret_cast<void (*)()>(address)();
  }
} calls_back;

}  // namespace
