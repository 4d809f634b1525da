"""What to look at before and after training: doubtful labels, a penalty's path, a learning rate, rows before and
after."""
