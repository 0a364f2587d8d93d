// Starts a thread that calls back into Python, and joins it: with the GIL held, which hangs, or released.

#include <exception>
#include <thread>

#include <pybind11/pybind11.h>

namespace py = pybind11;

namespace {

std::thread start(const py::function &callback, std::exception_ptr &failure) {
    return std::thread([&] {
        py::gil_scoped_acquire gil;
        try {
            callback();
        } catch (...) {
            failure = std::current_exception();
        }
    });
}

void join_held(const py::function &callback) {
    std::exception_ptr failure;
    start(callback, failure).join();
    if (failure) std::rethrow_exception(failure);
}

void join_released(const py::function &callback) {
    std::exception_ptr failure;
    {
        py::gil_scoped_release released;
        start(callback, failure).join();
    }
    if (failure) std::rethrow_exception(failure);
}

}  // namespace

PYBIND11_MODULE(_join, module) {
    module.def("join_held", &join_held, py::arg("callback"));
    module.def("join_released", &join_released, py::arg("callback"));
}
