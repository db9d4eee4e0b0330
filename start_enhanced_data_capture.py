"""Start both services of Enhanced Data Capture, and watch them until Ctrl-C.

python3 start_enhanced_data_capture.py [--help]
"""

from data_capture.bootstrap import ensure_environment

ensure_environment(__file__, __name__)

from data_capture.supervisor import main

if __name__ == "__main__":
    main()
