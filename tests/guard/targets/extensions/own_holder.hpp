// The GIL against its own holder, and interpreters with a GIL of their own.
#pragma once

#include <thread>

#include "gil.hpp"

namespace {

// The caller holds the GIL with one thread state and waits for it with another.
PyObject* second_state(bool held) {
  PyThreadState* first = PyThreadState_Get();
  PyThreadState* second = PyThreadState_New(PyInterpreterState_Main());
  if (!held) PyEval_SaveThread();
  PyEval_AcquireThread(second);
  ++counted;
  PyThreadState_Clear(second);
  PyEval_ReleaseThread(second);
  PyThreadState_Delete(second);
  PyEval_RestoreThread(first);
  return result();
}

// In a sub-interpreter that shares the GIL, PyGILState_Ensure waits for the GIL that this very thread holds:
// it knows the first interpreter's thread state only. Fixed, it is called after the sub-interpreter.
PyObject* ensure_in_subinterpreter(bool held) {
  PyThreadState* first = PyThreadState_Get();
  PyThreadState* inner = Py_NewInterpreter();
  if (held) count_up();
  Py_EndInterpreter(inner);
  PyThreadState_Swap(first);
  count_up();
  return result();
}

#if PY_VERSION_HEX >= 0x030C0000
PyThreadState* new_interpreter_with_own_gil() {
  PyInterpreterConfig config{};
  config.allow_threads = 1;
  config.check_multi_interp_extensions = 1;
  config.gil = PyInterpreterConfig_OWN_GIL;
  PyThreadState* state = nullptr;
  const PyStatus status = Py_NewInterpreterFromConfig(&state, &config);
  if (PyStatus_Exception(status)) Py_ExitStatusException(status);
  return state;
}

// Wants the GIL of an interpreter that has one of its own.
void enter_and_leave(PyInterpreterState* interpreter) {
  PyThreadState* state = PyThreadState_New(interpreter);
  PyEval_RestoreThread(state);
  ++counted;
  PyThreadState_Clear(state);
  PyThreadState_DeleteCurrent();
}

// The caller is in a sub-interpreter with its own GIL and joins a thread that waits for that GIL. The first
// interpreter's GIL is free: its threads run.
PyObject* own_gil_join(bool held) {
  PyThreadState* first = PyThreadState_Get();
  PyThreadState* inner = new_interpreter_with_own_gil();
  std::thread worker(enter_and_leave, PyThreadState_GetInterpreter(inner));
  {
    Released released(held);
    worker.join();
  }
  Py_EndInterpreter(inner);
  PyThreadState_Swap(nullptr);
  PyEval_RestoreThread(first);
  return result();
}

// ALIVE: the caller holds the first GIL and joins a thread that waits for another GIL, whose holder computes
// and then gives it up.
PyObject* own_gil_computes(double seconds) {
  PyThreadState* first = PyThreadState_Get();
  PyThreadState* inner = new_interpreter_with_own_gil();
  PyInterpreterState* interpreter = PyThreadState_GetInterpreter(inner);
  PyThreadState_Swap(first);
  Signal entered;
  std::thread holder([&] {
    PyThreadState* state = PyThreadState_New(interpreter);
    PyEval_RestoreThread(state);
    entered.say();
    compute(seconds);
    ++counted;
    PyThreadState_Clear(state);
    PyThreadState_DeleteCurrent();
  });
  entered.wait();
  std::thread waiter(enter_and_leave, interpreter);
  waiter.join();
  holder.join();
  PyThreadState_Swap(inner);
  Py_EndInterpreter(inner);
  PyThreadState_Swap(nullptr);
  PyEval_RestoreThread(first);
  return result();
}
#else
PyObject* own_gil_join(bool) { return PyErr_Format(PyExc_NotImplementedError, "needs Python 3.12"); }
PyObject* own_gil_computes(double) { return PyErr_Format(PyExc_NotImplementedError, "needs Python 3.12"); }
#endif

}  // namespace
