// The OpenMP loop behind pybind11: one function for each thing that it can do with the GIL, right or wrong.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>

#include <pybind11/pybind11.h>

#include "callback/loop.hpp"
#include "layout.h"
#include "problem.h"

namespace py = pybind11;

namespace {

// Runs what may throw within a team. No exception may leave the OpenMP region or the thread (OpenMP 5.0, 2.6), and the
// first says enough.
class Attempts {
public:
    template <typename Work> void attempt(Work work) noexcept {
        if (failed_.load(std::memory_order_relaxed)) {
            return;
        }
        try {
            work();
        } catch (...) {
            if (!failed_.exchange(true)) {
                first_ = std::current_exception();
            }
        }
    }

    // Once the team has ended, and with the GIL: pybind11 makes a Python exception of it.
    void rethrow_first() const {
        if (first_) {
            std::rethrow_exception(first_);
        }
    }

private:
    std::atomic<bool> failed_{false};
    std::exception_ptr first_;
};

const Batch *batch_at(std::uintptr_t address) { return reinterpret_cast<const Batch *>(address); }

// pybind11 calls a function with the GIL held: so is this one, but where call_guard says otherwise.
void solve(std::uintptr_t address) { lapack_kernels::solve_in_parallel(batch_at(address), solve_problem); }

void solve_released(std::uintptr_t address) {
    py::gil_scoped_release released;
    solve(address);
}

// Solves the batch, and calls `report` with the number of problems that a thread has solved, after each chunk.
template <typename Report> void solve_and_report(const Batch *batch, Attempts &attempts, Report report) {
    lapack_kernels::each_chunk_in_parallel(batch, [&](std::ptrdiff_t first, std::ptrdiff_t last, int thread) {
        attempts.attempt([&] {
            for (std::ptrdiff_t index = first; index < last; ++index) {
                solve_problem(batch, index, thread);
            }
            report(static_cast<double>(last - first));
        });
    });
}

void solve_reacquired(std::uintptr_t address, const py::function &report) {
    Attempts attempts;
    {
        py::gil_scoped_release released;
        solve_and_report(batch_at(address), attempts, [&](double solved) {
            py::gil_scoped_acquire acquired;
            report(solved);
        });
    }
    attempts.rethrow_first();
}

// Wrong, and hangs: whoever called this holds the GIL that the other threads of the team wait for.
void solve_acquired(std::uintptr_t address, const py::function &report) {
    Attempts attempts;
    solve_and_report(batch_at(address), attempts, [&](double solved) {
        py::gil_scoped_acquire acquired;
        report(solved);
    });
    attempts.rethrow_first();
}

// Wrong: makes Python objects, and changes one, without the GIL.
void solve_touched(std::uintptr_t address, py::list progress) {
    Attempts attempts;
    {
        py::gil_scoped_release released;
        solve_and_report(batch_at(address), attempts, [&](double solved) { progress.append(py::float_(solved)); });
    }
    attempts.rethrow_first();
}

// Wrong: each thread takes and drops references to `shared` without the GIL. Returns by how many its count is off, and
// puts that right.
std::ptrdiff_t solve_counted(std::uintptr_t address, const py::object &shared) {
    // So far the count may go wrong before the object is freed under the loop; Python 3.12 has 32 bits for it.
    constexpr Py_ssize_t margin = Py_ssize_t{1} << 28;
    const Batch *batch = batch_at(address);
    const Py_ssize_t before = Py_REFCNT(shared.ptr());
    Py_SET_REFCNT(shared.ptr(), before + margin);
    Attempts attempts;
    {
        py::gil_scoped_release released;
        lapack_kernels::each_chunk_in_parallel(batch, [&](std::ptrdiff_t first, std::ptrdiff_t last, int thread) {
            attempts.attempt([&] {
                for (std::ptrdiff_t index = first; index < last; ++index) {
                    shared.inc_ref();
                    solve_problem(batch, index, thread);
                    shared.dec_ref();
                }
            });
        });
    }
    const Py_ssize_t after = Py_REFCNT(shared.ptr()) - margin;
    Py_SET_REFCNT(shared.ptr(), before);
    attempts.rethrow_first();
    return after - before;
}

#ifdef PYBIND11_ASSERT_GIL_HELD_INCREF_DECREF
constexpr bool asserts_gil = true;
#else
constexpr bool asserts_gil = false;
#endif

} // namespace

PYBIND11_MODULE(_pybind11, module) {
    py::dict layout;
    for (const Extent &extent : LAYOUT) {
        layout[extent.name] = extent.bytes;
    }
    module.attr("LAYOUT") = layout;
    module.attr("ASSERTS_GIL") = asserts_gil;
    module.def("solve_held", &solve);
    module.def("solve_released", &solve_released);
    module.def("solve_call_guard", &solve, py::call_guard<py::gil_scoped_release>());
    module.def("solve_reacquired", &solve_reacquired);
    module.def("solve_acquired", &solve_acquired);
    module.def("solve_touched", &solve_touched);
    module.def("solve_counted", &solve_counted);
}
