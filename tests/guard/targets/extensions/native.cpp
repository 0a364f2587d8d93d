// The extension module `native`: threads that wait for one another and for the GIL, without OpenMP; and threads that
// only look like it.
//
// `held` is the fault: the caller keeps the GIL while it waits. The fixed twin gives it back first.

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "against_gil.hpp"
#include "alive.hpp"
#include "own_holder.hpp"
#include "without_gil.hpp"

namespace {

PyObject* none_if_null(PyObject* result) {
  if (result == nullptr && PyErr_Occurred() == nullptr) Py_RETURN_NONE;
  return result;
}

template <PyObject* (*function)(bool)>
PyObject* with_flag(PyObject*, PyObject* flag) {
  return none_if_null(function(PyObject_IsTrue(flag) == 1));
}

template <PyObject* (*function)(double)>
PyObject* with_seconds(PyObject*, PyObject* seconds) {
  return none_if_null(function(PyFloat_AsDouble(seconds)));
}

template <PyObject* (*function)(const char*, bool)>
PyObject* with_plugin(PyObject*, PyObject* args) {
  const char* plugin;
  int flag;
  if (!PyArg_ParseTuple(args, "sp", &plugin, &flag)) return nullptr;
  return none_if_null(function(plugin, flag));
}

#define FLAG(name) \
  { #name, with_flag<name>, METH_O, nullptr }
#define SECONDS(name) \
  { #name, with_seconds<name>, METH_O, nullptr }
#define PLUGIN(name) \
  { #name, with_plugin<name>, METH_VARARGS, nullptr }

PyMethodDef methods[] = {
    FLAG(join_pthread),
    FLAG(join_std),
    FLAG(future),
    FLAG(mutex),
    FLAG(rwlock),
    FLAG(condition),
    FLAG(semaphore),
    FLAG(thread_barrier),
    FLAG(static_init),
    FLAG(call_once),
    FLAG(once),
    PLUGIN(loader),
    PLUGIN(loader_join),
    FLAG(second_state),
    FLAG(ensure_in_subinterpreter),
    FLAG(own_gil_join),
    SECONDS(own_gil_computes),
    FLAG(lock_order),
    FLAG(mutex_twice),
    FLAG(mutex_of_ended_thread),
    FLAG(condition_unnotified),
    SECONDS(hold_mutex),
    FLAG(use_mutex),
    FLAG(spin_on_flag),
    SECONDS(heartbeat),
    SECONDS(compute_held),
    SECONDS(join_computes),
    SECONDS(mutex_owner_sleeps),
    SECONDS(condition_fulfilled_late),
    SECONDS(static_init_sleeps),
    SECONDS(polls_like_the_gil),
    SECONDS(hand_over),
    SECONDS(completion_queue),
    SECONDS(posted_by_signal),
    SECONDS(posted_by_timer_thread),
    SECONDS(futex_like_a_mutex),
    SECONDS(woken_by_process_with_same_memory),
    SECONDS(vfork_child_sleeps),
    SECONDS(mutex_of_sleeping_child),
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef_Slot slots[] = {
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, nullptr},
};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "native", nullptr, 0, methods, slots, nullptr, nullptr, nullptr,
};

}  // namespace

// Turns for ever; exported, for ctypes calls it without the GIL.
extern "C" __attribute__((visibility("default"))) void spin_for_ever() { compute(1e9); }

PyMODINIT_FUNC PyInit_native() { return PyModuleDef_Init(&definition); }
